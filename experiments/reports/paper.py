"""What the paper reports (Jaiswal et al., arXiv 1802.06167), to stand beside our figures."""

TITLES = {"convolutional": "convolutional GAN", "capsule": "CapsuleGAN"}
"""The models' names in tables, in the paper's order."""

RATIOS = ("r_samples", "r_test")
METRIC = {
    "mnist": {"r_samples": 0.79, "r_test": 1.0},
    "cifar10": {"r_samples": 1.0, "r_test": 0.72},
}
"""Section 5.2: the generative adversarial metric."""

ERRORS = {
    "mnist": {
        "convolutional": {100: 0.2900, 1_000: 0.1539, 10_000: 0.0702},
        "capsule": {100: 0.2724, 1_000: 0.1142, 10_000: 0.0531},
    },
    "cifar10": {
        "convolutional": {100: 0.8305, 1_000: 0.7587, 10_000: 0.7209},
        "capsule": {100: 0.7983, 1_000: 0.7496, 10_000: 0.7102},
    },
}
"""Tables 1 and 2: error of label spreading with 50,000 generated images, by labelled images."""
