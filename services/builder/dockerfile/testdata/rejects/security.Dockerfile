FROM a
RUN --security=root x
