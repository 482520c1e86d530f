# hello

