"""What is done scene by scene: label, measure, score and draw, each as a picklable pass that any lab can run.

Rules, gauges and sketches, which methods bring, stand beside the lab; how a training goes is `lab.training`.
"""
