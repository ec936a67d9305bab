"""Where a model looks: Grad-CAM in the image's own pixels, scored against radiologists' boxes."""
