"""What is written: Markdown to clean HTML, catalogues, dates in the reader's words.

jinja2 and babel without flask, so that a worker without a request can write too.
"""
