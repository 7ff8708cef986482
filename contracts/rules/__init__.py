"""The rules, one file each, named after the requirement that it decides."""
