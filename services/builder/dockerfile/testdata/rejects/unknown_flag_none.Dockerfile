FROM a
CMD --x y
