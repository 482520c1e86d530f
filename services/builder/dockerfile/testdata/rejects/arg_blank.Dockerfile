ARG =x
FROM a
