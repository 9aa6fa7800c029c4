"""What answers each operation of the contract: "digits.look" is `look` in digits.py."""
