"""Class names of the data sets whose classes are fixed, in the order of their labels."""

CIFAR10 = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
DIGITS = tuple(map(str, range(10)))
PPPD = ("normal", "bacterial", "viral")

# Source -> classes, as far as they are known before the data are read.
OF_SOURCE = {"digits": DIGITS, "cifar10": CIFAR10, "cinic10": CIFAR10, "pppd": PPPD}
