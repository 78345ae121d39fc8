#!/usr/bin/env node
// The child ends at once, but what it started in the background still has its stdout. So "exit" comes and "close" does not.
//
// Type, in another terminal, after 10 seconds: lspipe why
// Answer: leaked-write-end

const { spawn } = require("node:child_process");

const child = spawn("sh", ["-c", "sleep 1000 & echo done"], { stdio: ["ignore", "pipe", "inherit"] });
child.on("exit", () => console.log("exit"));
child.on("close", () => console.log("close"));
