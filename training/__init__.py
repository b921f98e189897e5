"""Data, augmentation, losses, distillation and evaluation of checkpoints; train.py is the command."""
