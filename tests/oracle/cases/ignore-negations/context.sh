printf '%s\n' '*.md' '**/*.txt' '!dir/one.txt' '# c' '' '/other' '!other/six' 'dir/sub/**' '!dir/sub/deep' 'file?' '[s]etuid' 'Dockerfile*' '.dockerignore' > .dockerignore
