"""What a page of the corpus imports: an edit of it must show on that page."""


def told(norms, share=1e-3):
    """In words, at which lag the norms are first below a share of the first of them."""
    below = [lag for lag, norm in enumerate(norms) if norm < share * norms[0]]
    return f"falls to a thousandth at lag {below[0]}" if below else "stays above a thousandth"
