printf '%s\n' '*/sub' '**/e*' 'dir/*/x' '  other/one.txt  ' 'link-to-dir/one.txt' 'private/' > .dockerignore
