mkdir special
cd special
printf x > 'new
line'
printf x > 'tab	here'
printf x > 'back\slash'
printf x > 'quote"s'
printf x > "star*"
printf x > '-dash'
printf x > ' lead'
printf x > 'trail '
printf x > '$dollar'
printf x > .wh
printf x > '#hash'
printf x > '~'
