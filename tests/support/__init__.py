"""What tests of several kinds share; no tests here."""
