// Loaded before a program with a fixed port: the program's server then takes a free port, and reports it to the parent.
import { Server } from 'node:net';

const { listen } = Server.prototype;
Server.prototype.listen = function (asked) {
  return listen.call(this, 0, () => process.send({ asked, port: this.address().port }));
};
