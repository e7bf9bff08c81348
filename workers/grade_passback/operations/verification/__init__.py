"""`passback verify`: proves that both gradebooks agree, or says where they do not."""
