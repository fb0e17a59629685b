func.func @clipped(%w: tensor<2048x1024xbf16> {samba.role = "param", samba.name = "w"},
                   %x: tensor<1x1024xbf16> {samba.name = "x"}) -> (tensor<1x2048xbf16> {samba.name = "y"}) {
  %0 = samba.linear %x, %w : (tensor<1x1024xbf16>, tensor<2048x1024xbf16>) -> tensor<1x2048xbf16>
  %1 = saturation.clip %0 {limit = 6.000000e+00 : f64} : tensor<1x2048xbf16>
  return %1 : tensor<1x2048xbf16>
}
