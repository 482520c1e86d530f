mkdir raw
printf 1 > "$(printf 'raw/lat\351n')"
mkdir "$(printf 'raw/\377dir')"
printf 2 > "$(printf 'raw/\377dir/f')"
 ln -s "$(printf '\376')" raw/link
