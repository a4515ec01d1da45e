"""One-shot commands; never loads the full screen."""
