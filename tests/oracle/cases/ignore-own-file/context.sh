echo file > .dockerignore
printf '%s\n' dir '!dir/sub' '*.tar.gz' 'broken' > Dockerfile.dockerignore
