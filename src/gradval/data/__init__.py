"""Data sets as canonical stores of images, labels and ids."""
