"""Sign-ins, the audit log, and the part of the inbox that a visitor may see."""
