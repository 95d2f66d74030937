// Loaded before a program with a fixed port: its server takes a free one, and tells the parent which.
import { Server } from 'node:net';

const { listen } = Server.prototype;
Server.prototype.listen = function (asked) {
  return listen.call(this, 0, () => process.send({ asked, port: this.address().port }));
};
