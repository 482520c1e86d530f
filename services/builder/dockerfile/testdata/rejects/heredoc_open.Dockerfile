FROM a
RUN true
RUN <<EOF
x
 EOF
