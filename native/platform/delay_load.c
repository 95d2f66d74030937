// For Windows libraries that zig links (scripts/zig.js): tells the delayed imports from "node.exe" which module they
// mean. Node.js is a library of its own in some programs (libnode.dll), and in others the program itself, whose file
// may have any name. node-gyp's own hook does the same, but is compiled by MSVC only.

#include <windows.h>

#include <delayimp.h>
#include <string.h>

static FARPROC WINAPI host_of_node(unsigned event, DelayLoadInfo* info) {
  if (event != dliNotePreLoadLibrary || _stricmp(info->szDll, "node.exe") != 0) return NULL;
  const HMODULE library = GetModuleHandleA("libnode.dll");
  return (FARPROC)(library != NULL ? library : GetModuleHandleA(NULL));
}

PfnDliHook __pfnDliNotifyHook2 = host_of_node;
