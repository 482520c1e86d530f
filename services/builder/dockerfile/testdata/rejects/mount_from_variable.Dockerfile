FROM a
RUN --mount=target=/x,from=$X x
