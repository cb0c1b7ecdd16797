"""What reads answer with, as plain records."""
