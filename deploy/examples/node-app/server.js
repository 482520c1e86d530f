// Answers every request with its uptime. `node server.js --once` prints the line and ends.
"use strict";
const http = require("http");
const ms = require("ms");

const uptime = () => `up for ${ms(Math.round(process.uptime() * 1000), { long: true })}\n`;

if (process.argv.includes("--once")) {
  process.stdout.write(uptime());
} else {
  const port = Number(process.env.PORT || 8080);
  const server = http.createServer((request, response) => response.end(uptime()));
  server.listen(port, () => console.log(`listening on port ${port}`));
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => server.close(() => process.exit(0)));
}
