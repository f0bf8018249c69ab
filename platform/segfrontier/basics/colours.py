"""The colours of methods, told apart by colour-blind readers too: the same in MLflow, in pictures and on pages."""

COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#A0528A",
    "#B07D00",
    "#3A9BD1",
    "#4D4D4D",
    "#8C510A",
    "#882255",
    "#7070D0",
)
