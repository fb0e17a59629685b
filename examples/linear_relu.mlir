func.func public @forward(%w: tensor<64x32xbf16> {samba.role = "param", samba.name = "w"}, %b: tensor<64xbf16> {samba.role = "param", samba.name = "b"}, %x: tensor<16x32xbf16> {samba.name = "x"}) -> (tensor<16x64xbf16> {samba.name = "y"}) {
  %0 = samba.linear %x, %w, %b : (tensor<16x32xbf16>, tensor<64x32xbf16>, tensor<64xbf16>) -> tensor<16x64xbf16>
  %1 = samba.relu %0 : tensor<16x64xbf16>
  func.return %1 : tensor<16x64xbf16>
}
