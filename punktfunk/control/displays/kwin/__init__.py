"""KWin (Plasma 6): virtual outputs by zkde_screencast_unstable_v1, arranged by kde_output_management_v2."""
