FROM a
COPY --from=x --from=y a b
