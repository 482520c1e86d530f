ARG A
RUN true
FROM x
