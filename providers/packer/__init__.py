"""Packer: builds of images from a pinned commit, with what they made remembered."""
