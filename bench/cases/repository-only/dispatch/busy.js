/** Keeps a processor busy until the thread is terminated. */
for (;;);
