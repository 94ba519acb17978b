//! Dial rules: which one fires for a request, and what it wants done. It sends nothing and looks nothing up.
