"""Which architectures there are; importing this loads none of them, nor PyTorch."""

from gradval.runtime.registry import Registry

ARCHITECTURES = Registry(
    "architecture",
    {
        "cnn": "gradval.models.cnn:CNN",
        "resnet9": "gradval.models.resnet9:ResNet9",
        "resnet18": "gradval.models.resnets:resnet18",
        "resnet101": "gradval.models.resnets:resnet101",
        "resnext101": "gradval.models.resnets:resnext101",
        "wideresnet50": "gradval.models.resnets:wideresnet50",
        "wideresnet101": "gradval.models.resnets:wideresnet101",
    },
)
