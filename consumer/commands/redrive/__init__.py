"""`tidemark redrive`: dead letters go through their processors again, and leave their place once settled.

source.py says what a place of letters can do; sqs.py, s3.py and file.py are those there are, place.py
chooses. reading.py makes a change of a letter, deliver.py puts changes through a processor, run.py does it
letter by letter, tally.py and survey.py count, screen.py shows. A letter is never removed before it is
settled: whatever dies in between, the next redrive finds it settled already.
"""
