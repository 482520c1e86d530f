FROM oracle-base
ENTRYPOINT ["parent"]
CMD ["parent-cmd"]
EXPOSE 1
VOLUME /v
USER app
WORKDIR /wd
STOPSIGNAL 9
HEALTHCHECK --interval=5s CMD true
SHELL ["/bin/sh", "-xc"]
LABEL p=1
ENV pe=1
