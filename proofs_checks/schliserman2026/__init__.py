"""Statements of Schliserman, Buzaglo, Evron and Soudry (COLT 2026), one file a statement."""
