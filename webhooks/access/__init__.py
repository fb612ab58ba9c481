"""Access of people and programs: sign-in, sessions and the roles that acts need."""
