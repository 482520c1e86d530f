#include "services/builder/executor/probe_program.h"

#include <elf.h>

namespace strata::executor {
namespace {

#if defined(__x86_64__)
constexpr Elf64_Half kMachine = EM_X86_64;
constexpr unsigned char kCode[] = {
    0xbf, 0x00, 0x00, 0x00, 0x00,  // mov edi, 0
    0xb8, 0xe7, 0x00, 0x00, 0x00,  // mov eax, 231 (exit_group)
    0x0f, 0x05,                    // syscall
};
#elif defined(__aarch64__)
constexpr Elf64_Half kMachine = EM_AARCH64;
constexpr unsigned char kCode[] = {
    0x00, 0x00, 0x80, 0xd2,  // mov x0, #0
    0xc8, 0x0b, 0x80, 0xd2,  // mov x8, #94 (exit_group)
    0x01, 0x00, 0x00, 0xd4,  // svc #0
};
#else
#error "add the exit system call of this architecture"
#endif

constexpr Elf64_Addr kLoadAddress = 0x400000;

}  // namespace

std::string ProbeProgram() {
  Elf64_Ehdr header = {};
  header.e_ident[EI_MAG0] = ELFMAG0;
  header.e_ident[EI_MAG1] = ELFMAG1;
  header.e_ident[EI_MAG2] = ELFMAG2;
  header.e_ident[EI_MAG3] = ELFMAG3;
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_EXEC;
  header.e_machine = kMachine;
  header.e_version = EV_CURRENT;
  header.e_entry = kLoadAddress + sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr);
  header.e_phoff = sizeof(Elf64_Ehdr);
  header.e_ehsize = sizeof(Elf64_Ehdr);
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 1;

  Elf64_Phdr segment = {};
  segment.p_type = PT_LOAD;
  segment.p_flags = PF_R | PF_X;
  segment.p_vaddr = kLoadAddress;
  segment.p_paddr = kLoadAddress;
  segment.p_filesz = sizeof(header) + sizeof(segment) + sizeof(kCode);
  segment.p_memsz = segment.p_filesz;
  segment.p_align = 0x1000;

  std::string file(reinterpret_cast<const char*>(&header), sizeof(header));
  file.append(reinterpret_cast<const char*>(&segment), sizeof(segment));
  file.append(reinterpret_cast<const char*>(kCode), sizeof(kCode));
  return file;
}

}  // namespace strata::executor
