printf '%s\n' '*' '!file*' '!dir/sub/deep/five.txt' '!./other/' > .dockerignore
