"""Event patterns: which changes a processor is told of.

The language is that of Lambda's event filters and EventBridge's rules, decided as AWS's own Event Ruler
decides (2.1.0, array-consistent matching), with one thing more: `numeric` reads a DynamoDB number. numbers.py
says what a number is, json_text.py reads patterns, texts.py and values.py say what one field may be,
matchers.py and grammar.py turn a pattern into that or say what is wrong with it, matching.py decides,
pattern.py is what others use, records.py shows a change as an event.

Pure: no I/O, no clock, nothing of settings, shards or processors.
"""
