"""What differs between two descriptions of a run, as JSON holds them."""


def differences(stored, asked, only_common=False, name=""):
    """Return what differs between two JSON values. Null and an empty list do not differ.

    Args:
        stored: One value, such as what a file says of its settings.
        asked: The other.
        only_common: Whether a key that one of two dictionaries lacks makes no difference. By
            default such a key counts as null there: settings that the package did not have yet
            when a file was written, and whose default is None, make no difference.
        name: What the values are called.

    Returns:
        List of `(name, stored, asked)`, one for each part that differs.
    """
    asked = list(asked) if isinstance(asked, tuple) else asked  # JSON has no tuples
    if isinstance(stored, dict) and isinstance(asked, dict):
        keys = {**stored, **asked}
        if only_common:
            keys = [key for key in stored if key in asked]
        parts = [
            (f"{name}.{key}" if name else key, stored.get(key), asked.get(key)) for key in keys
        ]
    elif isinstance(stored, list) and isinstance(asked, list) and len(stored) == len(asked):
        pairs = enumerate(zip(stored, asked, strict=True))
        parts = [(f"{name}[{index}]", *pair) for index, pair in pairs]
    else:
        nothing = stored in (None, []) and asked in (None, [])
        return [] if nothing or stored == asked else [(name, stored, asked)]
    return [
        difference
        for key, before, now in parts
        for difference in differences(before, now, only_common, key)
    ]
