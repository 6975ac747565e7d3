"""The terms of the page in a sentence each: tooltips, and a list at its end."""

GLOSSARY = {
    "VoG": "Variance of gradients: how much the gradient of a sample's loss with respect to its "
    "pixels changes over the checkpoints of training.",
    "PLIS": "Privacy-loss-input susceptibility: how much the squared norm of a sample's gradient "
    "changes with its pixels, in units of the noise.",
    "Loss": "Cross-entropy of the final model on the sample.",
    "Gradient norm": "L2 norm of the sample's gradient over all parameters, not clipped.",
    "ε": "What differential privacy allows an observer to learn of one sample; smaller is more "
    "private. It holds together with δ.",
    "Seed": "Fixes the initial weights of a model.",
    "Draw": "Fixes sampling, noise and augmentation of a training.",
    "Chance": "The same statistic for selections made at random, or for scores without relation.",
    "Other draw": "Draw ceiling: what two runs have in common that differ in sampling and noise "
    "alone. No more agreement can be expected of anything else.",
    "Other seed": "Seed ceiling: what two runs of one setting have in common that differ in their "
    "initial weights.",
    "Margin": "How far the claim holds: positive on the side that the paper claims, negative on "
    "the other. For an equality, the distance inside the tolerance.",
    "Interval": "95% interval over seeds. It is cut to what is possible, and marked where it was.",
    "Supported": "The 95% interval of the margin lies above zero, also once corrected for the "
    "claims of its family (Holm), with at least five seeds or by an exact test.",
    "Refuted": "As surely, the contrary holds.",
    "Undecided": "The results settle neither.",
    "Not run": "This study does not produce the evidence to judge the claim.",
    "Number": "Whether our interval lies within the claim's tolerance of the paper's number; empty "
    "without a number, or where substitutes were run.",
    "Scale": "Exact: as in the paper. Reduced: fewer or smaller images, a narrower network, fewer "
    "epochs. Substitute: another data set, model or class.",
    "SSIM": "Structural similarity of two images, from −1 to 1; of selections the mean over pairs.",
    "Bhattacharyya distance": "Distance between the histograms of pixels of two selections; 0 for "
    "equal ones.",
    "Overlap": "How many samples two selections have in common.",
    "Shapley value": "What a site adds to the accuracy of a model, averaged over all orders in "
    "which sites may join.",
}
