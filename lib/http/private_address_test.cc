#include "lib/http/private_address.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstring>

namespace strata::http {
namespace {

bool IsPrivate(const char* text) {
  sockaddr_storage address{};
  if (std::strchr(text, ':') == nullptr) {
    address.ss_family = AF_INET;
    EXPECT_EQ(::inet_pton(AF_INET, text, &reinterpret_cast<sockaddr_in&>(address).sin_addr), 1) << text;
  } else {
    address.ss_family = AF_INET6;
    EXPECT_EQ(::inet_pton(AF_INET6, text, &reinterpret_cast<sockaddr_in6&>(address).sin6_addr), 1) << text;
  }
  const auto& plain = reinterpret_cast<const sockaddr&>(address);
  EXPECT_FALSE(AddressText(plain).empty());
  return IsPrivateAddress(plain);
}

TEST(PrivateAddressTest, TellsOurNetworksFromTheWorld) {
  for (const char* text : {"0.0.0.0", "10.0.0.1", "10.255.255.255", "100.64.0.1", "127.0.0.1", "127.9.9.9", "169.254.169.254", "172.16.0.1",
                           "172.31.255.255", "192.168.1.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1",
                           "fe80::1", "fc00::1", "fd12::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1",
                           "2002:a00:1::1", "2001:0:1::1"}) {
    EXPECT_TRUE(IsPrivate(text)) << text;
  }
  for (const char* text : {"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1",
                           "169.253.0.1", "172.15.0.1", "172.32.0.1", "192.169.0.1", "223.255.255.255", "2606:4700::1111",
                           "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"}) {
    EXPECT_FALSE(IsPrivate(text)) << text;
  }
  sockaddr other{};
  other.sa_family = AF_UNIX;
  EXPECT_TRUE(IsPrivateAddress(other));
}

}  // namespace
}  // namespace strata::http
