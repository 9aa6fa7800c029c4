"""A run, or several compared, as one HTML file that needs nothing else: measured here, then drawn.

opened.py       a run with its data                    answers.py      what its network says of some examples
scores.py  calibration.py  statistics.py  comparison.py    the measurements, plain numbers and arrays
measured.py     all of them for one run
figures.py      Matplotlib as inline SVG               images.py       weights as a picture
page.py         the HTML, by templates/
"""
