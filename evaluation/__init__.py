"""Data sets of pictures with masks, and the measures of a mask: IOU, boundary F, dtSSD."""
