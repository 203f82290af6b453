"""Networks that carry others: relays, satellites, content networks, hosting.

Made by benchmarks/networks.py, which names them, from the routes that RouteViews saw in June 2026
(https://www.routeviews.org, CC BY 4.0).
"""

import ipaddress
from bisect import bisect_right
from typing import Final

# Of each network how far it begins behind the end of the one before, and how long it is: in units of a /24 of
# IPv4 and a /40 of IPv6, to the base of 36.
_IPV4 = """
1gxs,sg f0h,74 75,e8 3y9,e8 dfl,74 gsh,1kw sh,e8 18n5,6k0 h,1800 sg1,dtj 2,8aw 1q1,8 1t,74 5q9,3k
41t,74 2v5,3k e9,74 1t,1s ayp,74 4xt,74 2dd,74 2v5,1s 18h,74 4xt,74 33gv,1 2xg,1 75,1 9d,1 m4,1
hgw,3z4 d,8no 35t,35s sh,1z4 t1d,zk 75,e8 ld,e8 75,74 75,e8 e9,74 1dt,1kw 75,sg ld,74 ld,74 1dt,74
sh,74 75,e8 sh,74 16p,74 2rl,74 e9,74 sh,sg e9,e8 2dd,74 4dtt,fv4 4,q5 sh,sg 75,lc ld,2kg w1,1s
n5,74 75,74 zl,74 75,74 ld,1z4 4qp,cap lc,w qw1,1s 17pd,74 4qp,268 75,zk 75,zk 75,268 75,2dc 75,3k0
75,zk 75,74 75,sg 75,e8 75,16o 75,5q8 9,1ko ld,sg sh,e8 e9,2rk 45d,934 ld,sg 75,74 ld,74 ld,4cg
75,1kw 75,5j4 e9,74 75,2yo 75,74 269,74 ld,18c xx,74 1s01,188w 1ekh,6bk sh,my 3,1j8 3l,gow ld,ao
135,e8 16p,lc 1dt,iyo 2t4x,35s sh,sg 1kx,740 sh,1kw 1kx,3k 1hd,1kw 9xd,1 15s,1 4ww,1 1ds,6bk 275,g
nl,4g 1k1,3k ht,3k ox,3k m0x,74 51d,3k 1oh,3k ht,3k 9xd,1s 1c1,1s 1s1,3k 1hd,3k 2v5,3k 3l,1s 3ha9,3k
2y1,4 qdx,1s 481t,ao d4x,ao 1vl,1kw jjk,1 198x,35s 1kx,35s 6bl,74 ld,e8 sh,74 sh,74 1g5d,1s x,40
3j,42 2j,5i x,1s 3l,j5s x,hm8 9,2g 1l,2w x,cr4 3cx,74 381,j4 sh,zk 75,74 ht,ao ep,ds 30h,4w5 6s,20
2wv,35u 1t,3k 4ld,b0g 1t,7wg sh,sg 1ew1,8 9,o 115,74 c1,8 1wp,8 1i1,74 401,1s 22p,74 p35,74 341,8
8xl,74 h5,8 2h,8 1ckx,1s lj5,cs 5,27k zcx,sg e9,74 16p,74 75,e8 2yp,8z 2,1bw e9,18n 2,1cv 2,7ko
3l,1s 1t,ao 3k1,74 75,74 16p,74 ld,e7 le,74 sg,2sx y9,74 ld,74 1kx,74 16p,74 75,74 75,74 75,74 75,74
75,74 75,74 ld,74 e9,74 75,74 n5,1s 3l,e8 2kh,74 e9,e8 fyd,1 mrg,74 v41,3k 4jl,e8 6td,3k 60x,3k
sh,e8 3l,3k 1a9,3k ao1,icg x,1vk x,19c 75,4e8 x,2ow 1c1,k5 2,q2 1t,1og sh,e8 e9,35s 16p,4qo 5e1,4
7ud,74 v7l,cn4 6bl,ao 1fl,1s 2rl,74 1t,1s 1w,1 59,3k 5x,4 h,c u3,2a 1oh,3k ox,e8 75,74 rh,8 av,1
1h8,2 766,7 8r,1 gb,1 1lj,4 1cx,4 bt,1 3mo,4 6lx,1s 75,1s 9gh,4 1ul,74 96p,2c 23x,3k 7i9,74 ld,74
64h,74 595,2 7,4 7x,1s e9,e8 8w1,74 1kx,e8 sg,1 741,74 83l,74 ld,e8 35t,30g 1n,8ee kjl,1z4 1v,3y
mp,16o vlt,iyo 5d,1s 269,e8 7b5,74 zk1,sg 54x,1t cg,2g0 x,1s cox,74 7t,34 12x,3k 3nl,74 ld,20
rll,16o e9,74 75,sg 75,lc e9,35s e9,74 75,2dc 75,74 e9,16o 16p,cu8 75,2dc sh,sg e9,16o 16p,e8 x,40
9d,e8 e9,lc 75,e8 e9,e8 e9,e8 e9,e8 75,lc e5,ec 16p,lc 75,16o e9,lc 75,e8 e9,e8 e9,e8 e9,e8 e9,74
ld,e8 e9,e8 sh,9mk 5,6kg sh,6bk ox,hs 75,74 75,74 1z5,1kw 3l,3k 75,fcw 1t,6bk 1ekh,74 sh,74 e9,74
16p,74 e9,74 75,lc ld,e8 75,74 zl,zk ld,74 e9,e8 16p,e8 1kx,6bk 16p,74 75,74 sh,74 e9,1kw 1kx,74
sh,1ds sh,feo e9,6bk 1erl,740 75,sg 75,zk 1kx,1kw 75,16o e9,e8 sh,sg 75,sg 75,zk 16p,zk 75,zk 75,74
ld,sg 75,2rk 75,e8 16p,sg 75,1ds sh,1z4 75,sg 75,lc 75,74 75,e8 sh,74 75,e8 75,zk 75,e8 75,74 zl,2dc
75,74 ld,74 75,e8 ld,lc 75,74 e9,74 1kx,lc 75,74 75,e8 2kh,74 2kh,74 zl,74 e9,74 sh,4xs zl,74 ld,74
sh,e8 e9,e8 75,lc 75,74 75,lc ld,74 75,74 e9,1kw 35t,sg 1dt,74 1z5,740 16p,e8 e9,74 75,74 e9,74
e9,74 45d,74 2dd,e8 e9,16o e9,74 ebl,2o 3mp,1s 1dhd,74 5c1,74 801,1s 1ow1,e8 28zl,74 cqv,4 dz,1s
7k1,74 3r5,74 ld,74 ld,3k 9s1,sg jcx,3k 1c0,1 6v5,35s a2p,3k gp,8 pt,3k 1z5,1s 3pd,1s 1t,3k 2m9,1s
ox,1s 3i9,1s oa,1 rb,1s 30h,3k 19d,g i9,2o 3mp,1s 2yw,1 16h,3k 2rl,3k 5tt,ao t3,2y 4xt,1s 1jr,1
1yi,3k 5d,1s 29,1 1b,5d u9,ao ht,74 2x6,1 3b,3f na,zk 75,74 75,sg zl,3k jk,1t 3l,74 329,2o 201,1s
qp,74 75,e8 4qp,74 1gh,g 1sh,1s 20x,e8 cw1,1s 135,w gox,s 4sl,74 ch,w 11d,2o 3m,3 sd,74 4g1,3k 267,p
2,2s 2,4 2,d 2,6 2,1 9,1y 4,3 3,4 2,1 2,b a0x,1s 2yp,74 aw,1 3d,1s qp,e8 e9,3k xt,1s 2m9,1s zl,74
3y9,1s 341,74 3lt,1s w1,4g 1up,3k 6td,e8 1ld,8 5,k 1t,o p,hf 5,21 2p,g h,g 1ap,3k h6p,w 1x,1k 2,z
2,a 4,11 2,7 2,2v 2,4c bgh,1s n5,1s 14ch,e8 e9,e8 4jl,74 54x,e8 ld,74 75,zk 75,74 35t,1kw 4jl,74
ld,w kh,3k 1t,1s 2ex,4 l,14 15,1s f5,3k 2yp,28 fl,1s 4w1,74 sh,74 sh,3k ap,74 2kh,1s csh,1s 3wh,74
sh,1s 5d,e8 b29,1kw e9,zk 4ch,5c dc,1 75,j 26,n 2,6g sh,74 gqp,1s 3y9,e8 e9,e8 d6p,1s 1fl,1s ox,1s
ap,1s g1,1s 24h,1s 41t,74 ld,sg n41,1s 1t,1s 8x,1s g1,1s ngh,1s n5,1s hd,28 ap,3k 3l,3k ch,3k 3wh,e8
2dd,74 hkx,sg e9,74 75,sg 2dd,w 1d,6v 2,1 2,1i 1t,n 2,8 x,w 4x,e 3,12 5,1 2,2 3,g 29,g 1t,1s 75,74
e81,e8 ld,3k 1gu9,74 n41,74 75,1s 3b5,3y8 e9,74 16p,74 e9,zk zl,74 ld,74 3c1,80 2yp,sg e9,74 75,16o
e9,16l ec,lc 1dt,5c 1t,1s 1t,1s 3r5,1s 4g1,1s 8x,1s 1t,1s 8qp,sg ef,1 oq,3k e9,6c d,jo 2,23 3cx,1s
ssh,74 su9,e8 6m9,1s 1hd,1s 135,1s 2bl,5c 2td,1s ld,1s 22p,1s ld,1s 8e9,3k 51d,3k 8ld,sg 135,e8
jk9,1 8zc,sg 5xd,e8 iip,1s g75,1s0 iyp,74 a2p,3k e9,3k 1gp,4 b9,3k 1cap,e8 ewx,3k 49t,2o 2gx,3k
36p,w 49d,g 1q9,2 7kv,sg p97,1 ilj,2 6ce,1s 3a9,74 31m,1 adz,e8 1dt,74 zl,74 sh,74 5tt,3k 35t,74
q9t,3k 2v5,e8 8x,5c 1kx,e8 3sx,1s 22p,sg 1a9,k 2,17 igx,2o x,1s 7sx,3k 6bl,74 rnl,e8 8g1,1s 16p,74
et6,1 b9j,e8 9fp,4 oe,1 1ca,sh 9t,4f 418,1 lue,74 3y9,e8 13k1,1s 4m9,w 39d,3k 3l,3k 16p,74 sgp,8
jxd,3k ht,74 jcx,74 1xd,1s 2dd,74 idd,sg h4x,1s 5d,1s 35t,3k 4,1 3x,34 1cup,w 12c1,e8 j9,7 xy,3k
2kh,74 2dd,74 d6w,1 ig,1 g9,1 amw,ao mwx,e8 dfl,lc zl,e8 3y9,74 lc1,io x,g0 khy,1 i,1 d,2 isb,74
9xd,1s 8x,1s ao1,74 bup,3k agx,1s 3l,1s 99d,4 pp,e8 5fl,3k 2yp,1s 2wx,e8 fb5,3k 5zz,1 4i,74 sh,e8
7i9,74 zl,e8 1kx,e8 lj5,3k 13lt,e8 1cld,1kw e9,sg e9,35s 75,5c 6dd,e8 qgx,1s cxt,1s 1t,1s 3l,1s
1t,5c 1t,u8 3l,cg 3l,g0 3i9,1s 6yp,3k ap,74 5d,1s zl,3k 5d,3k zl,1s 7pd,gg fch,2dc 35t,35s 12gx,1s
5q9,76 t,ki 75,74 sh,lc 75,74 gsh,e8 d1d,e8 8ht,4w 9ch,74 irl,74 hhn,2 ay1,4 5t,4 1mh,4 3cd,1 43t,1
2,1 gjj,2 cth,1 2,1 dk,2 365,4 22n,1 2,1 55s,2kv 2b,in 1kx,1kw 35t,cn4 ch,g 8h,74 2dd,74 ap,3k 75,3k
3l,74 sh,e8 29,g 7tt,sg 1kx,1kw 1hd,3k ld,74 1kx,74 ap,1s 1o,1 10w,1 r9,74 1i4h,74 e9,e8 6f5,5c
1t,3k e9,sg 17gh,8ow hhd,3k 1dt,74 1s1,74 1j5,5c 1xd,1s p6p,78 6pp,9hc 2dd,sg jl,1s qp,1s qp,1s
16p,3k 1nxx,4 ll,1s 341,74 75,74 9s1,ao 3l,3k 6bl,8w w01,28 4x,1s fwh,1s 5a9,3k 5kx,1s k01,1s 1hd,lc
jcx,74 9oh,sg xz5,sg 1fy9,zk b8h,80 ap,1s 2f5,74 g75,74 dfl,e8 e9,b4 h2p,74 7i9,74 2yp,ao 1t,74
rpd,74 5ox,g lr5,hs 3l,74 2dd,48 6g9,1s akh,74 5j5,1s 13up,e8 zl,74 b9d,74 75t,1s a69,74 269,74
w1,3k 3k1,94 8mx,74 sz,6m u9,28 1v5,74 sh,e8 2yp,74 8w1,74 114x,sg ds,1 369,74 16p,74 75,74 3y9,sg
zk1,e8 5xd,e8 e9,sg 1dt,74 7b5,74 a9,1s 9d,5c 1t,1s 5d,1s 1t,3k jr5,sg cqp,1s 8ch,74 j5t,74 jl,1s
iwx,1s cg1,e8 e9,74 sn5,e8 83l,3k 669,3k 1t,3k 8ox,e6 1s3,74 em9,74 cg1,sg 3up,1s 1mp,74 ld,1s 8x,1s
1dhs,1 9d,2o 11xd,e8 3k1,74 2yp,74 75,74 1m2p,74 1s1,74 e9,74 b29,74 ld,74 1kx,74 2kh,74 2gx,3k
ld,74 2rl,3k 58h,74 1vi,1 4,1 6,2 oo,74 16p,74 1z5,74 ld,74 1kx,74 7i9,74 45d,74 1z5,74 75,74 35t,74
6bl,74 7xd,2g 2o9,74 1kx,74 75,74 75,1s 1t,48 5,2s 4h,rc 15,68 m9,kg 5xd,3m 2gv,74 16p,74 4v,8a
1m1,kd 2,y 8h,5s 1kx,74 ld,74 7b5,74 e9,74 16p,74 75,74 8h,34 h,28 4xt,74 1s1,74 1kx,74 3y9,74 zl,74
f5,68 3y9,74 5y9,4o 1mh,74 ld,e8 sh,74 w1,3k 2v5,3k ld,74 zl,74 75,74 ld,74 7k9,4 kb9,28 4nl,74
3cx,74 3cx,74 sg,75 3y9,74 cjl,3k t1d,74 3k1,74 64h,74 4jl,74 e9,74 e9,3s 9,34 zl,74 2dd,74 1mo1,74
75,74 sh,74 sh,74 3k1,lc zt,6a ev,74 4w1,1s 2kh,74 1s1,3k w1,74 1z5,74 1z5,8w 3wh,74 sh,74 4n5,3k
1s1,74 2rl,70 551,74 zl,74 75,zk zl,74 sh,74 ld,74 c8x,e8 75,74 sh,74 3k1,74 e9,e8 e9,lc ld,74 ld,1s
1d,g 35,1 4,1 4,7 2,74 e9,74 16p,74 1dt,e8 1s1,74 269,74 1s1,74 75,74 75,74 6pt,lc 75,3k0 75,e8
75,lc sh,lc 75,3dc z,r2 8h,28 801,b2c sd,e8 e9,lc 75,74 75,1ds e9,3k 58h,74 av5,74 1s1,74 16p,74
1t,1s ap,74 8x,2o 4m9,74 e9,74 269,74 8ap,74 1o1,q 2,1h 5z5,74 75,e9 2kg,1s 1t,3k ld,74 4qp,74 75,74
45d,74 e81,e0 21,1s 60x,74 3cx,74 2yp,74 75,74 2ld,w 14x,e8 2kh,74 zl,74 1kx,74 1dt,3k dj5,74 75,1s
1t,3k 75,74 75,74 1s1,74 4xt,e8 75,74 4ch,40 h,1s 9pd,78 2kd,74 zl,74 75,74 ht,3k sh,74 14x,8w e9,74
45d,74 1dt,74 2rl,74 1z5,74 q9,28 e9,74 3gh,2o 10h,74 75,74 1dt,74 e9,74 4qp,74 mbl,1s rl,5r t2,2y
a6r,74 75,74 45d,74 6bl,74 ld,e8 5a5,3 11e,74 zl,ao 1t,1s e9,74 jy9,e8 l9,4 g1,1s 1j5,t 5us,74 td,cg
81,9s x,3k 2v5,3k 3cx,e8 e9,e8 8ht,74 269,74 3hd,1s 7tt,3k 2yp,74 6bl,74 7lt,3k cbz,2 as1,e8 3cx,74
5j5,74 4ch,5c 7r5,74 w1,3k 3y9,g s1,74 6bl,74 e9,74 3r5,74 16p,70 zp,74 75,74 e9,74 269,74 sh,e8
2kh,74 ht,2o 1lt,74 4kh,2o 4h,68 75,ao 1kx,3k 16p,74 1nl,4g 54x,74 2td,1s 6v5,2o x,1s 2yp,74 51d,3k
6ip,3k w1,74 1s1,74 av5,74 3lt,5c 3k1,74 ef5,e8 75,e8 8ap,2rk 3s,ah 6dd,5c 2rl,74 b5,34 4jl,74
95t,4g e9,74 zl,74 sp,5s tl,74 75,e8 2kh,3k 7ep,74 3cx,3k 3nl,74 1a9,1s 18h,1s u9,1s u9,74 2yp,e8
5c1,1s 3l,1s 4ch,74 g1,5c 1s1,74 epi,1 32j,74 75,74 16p,74 3r5,74 ld,74 zl,74 1kx,74 1a9,3k 41t,3k
4ch,74 1kx,74 1vl,3k 3k1,74 3r5,74 8w1,74 75,74 1s1,74 sh,74 e9,74 3y9,74 sh,74 2kh,74 e9,68 5nl,3k
1kx,74 1dt,74 br5,8 1l,w v5,1s ht,4 459,74 zl,74 pt,1 2g,1 ab,1 1i,1 2bv,2 1f,g 1n5,74 2yp,74 269,74
ld,74 ld,5k 309,74 3cx,74 2yp,74 75,74 2t,1 2,1 1t,1 1r,2 1l,5u 1tb,dc 49,2w 2ht,2 n,4 1x,74 3r5,74
1z5,74 75,3k ht,3k 3l,3k w1,lc 75,74 1dt,74 ld,74 75,74 8ht,1s 9j5,3k 1hd,1s bwh,66 36r,74 1s1,74
45d,74 2dd,74 6pt,74 zl,74 2yp,74 7p,6k 2rl,74 hs1,74 3cx,74 e9,74 2kh,74 2kh,74 sh,74 sh,74 10h,1s
jl,kg 1s1,74 75,74 2kh,74 5q9,74 6u9,4 8,1 7kl,e8 2o1,3k ht,3k 4qp,74 bl,9s 8ht,5c 3sx,74 75,lc
1s1,74 16p,74 e0x,74 3l,3k sh,2u 6u3,74 5j5,e8 e9,74 75,74 75,74 35t,e8 ud,4g 11ul,3k 6te,1 3,1 70,1
bl,1 294,2 2lz,3 319,28 nyp,1s a1d,2 6y7,74 75,e8 1oh,3k 269,74 6dv,1 2,1 2,1 7my,74 ox,3k ao1,74
ld,74 5n5,33 48y,3k 1s1,74 sh,74 zr,2 3,2 d,2 13,2 cf,74 1dt,74 ld,74 741,74 75,74 gzl,74 f29,1s
4e5,1w 6pt,74 401,5c e9,e8 4qp,74 1kx,74 sh,74 5c1,74 269,74 75,3o d,34 2kh,e8 3r5,74 e9,e8 ld,3k
5tt,74 3r5,74 75,74 1kx,74 75,74 75,74 16p,74 54x,e8 5j5,74 e9,74 2dd,74 1z5,3k 2v5,6t ss,e8 741,74
e9,74 1s1,74 16p,74 45d,2o 80x,74 535,1s sh,lc 2dd,74 1oh,3k 54x,74 1a9,1s 20x,74 ld,74 zl,74 2kh,74
3r5,74 3k1,74 1oh,9q 3kz,74 2v5,20 1l,1s 5d,74 zl,1s 4ht,74 zl,74 2kh,70 zp,74 1s1,74 kz,2 7h,74
ld,3k 5,3g zl,p 3,1 2,6b e9,74 e9,74 flt,3k o75,74 75,74 sh,74 16p,74 75,4g 1t,f4 1kx,e8 6pt,74
3k1,6w 7d,74 1z5,74 3r5,74 5z5,3i cj,3k 1gd,8 1wd,e8 bl,2o 62x,4 t,6 3,2 7j,74 ld,74 3y9,74 75,74
1z5,74 75,74 2dd,74 2kh,7b 1dm,74 7b5,74 mp,5s sh,74 4ox,4 27x,74 zl,e8 1s1,e8 1rz,1 ea,74 75,74
6dl,2 1j,3k 35t,74 3y9,e8 btt,4 po,1 3up,77 pq,6 26,1 26l,74 agx,74 bk1,3k ht,3k 7i9,74 2kh,74 ld,74
2yp,4g x,1s tft,4 5,4 j,2 21,2 3b,1 2,2 ph,3k 8x,5c 7pd,74 sh,74 1dt,74 1ba,b 30x,74 1s1,74 35t,74
etd,74 75,74 sh,74 8ox,74 e9,74 1z5,74 2dd,74 3k1,74 1dt,74 1dt,74 9hd,74 35t,74 2dd,74 29t,3k sh,3k
1t,c 3,1e 75,74 td,4g 2ip,3k 75,74 g75,74 zl,74 269,74 341,1s 1kx,74 rnl,74 2wx,1s 9a9,74 zl,74 a7,1
1oy,40 h,e 1f,g 2s1,74 75,74 lf,72 75,e8 1dt,74 6bl,74 75,74 2dd,74 ld,74 zl,74 18h,1s 1a9,74 741,74
zl,74 75,cx 1c,87 4q,8g zl,74 75,74 ef5,lc 3y9,74 3gx,34 sh,2o ip,74 1kx,74 1vl,3k 1kx,74 dt,g ld,5g
xp,1s 1fl,74 zl,74 3vv,o 1fj,74 280,5d 4s5,4 2ix,e8 ll,2 t87,74 26p,3 8,1 2,4 4h,1s yp,w 9oh,74
bnl,2o 2p,1s zl,74 1z5,74 16p,74 4qp,74 135,3k ld,74 35t,5h 3,1l ox,1s 37l,60 1ex,3k 135,74 3k1,6o
4y9,74 16p,74 2v5,3k 30h,w 2p,w 3dt,74 l4x,74 1cld,1kw 1xd,1s 4cl,e4 11d,1t 39c,cn5 2,4qm 75,74
16p,35s e9,e8 1s1,74 gw1,3k 2dd,cn4 6pt,74 sl,2m 4f,74 2bl,1s 1s1,e8 46p,g qp,1s at,s yp,1s 6dp,1
5,1 b,1 f,1x 2a,h q,1 1d,3 c,1 n,f x,1k is9,74 e9,74 zl,3k ht,3k ht,35s npd,74 e9,74 2o1,3k cxt,1s
dvl,74 gzl,74 45d,74 1t,1s ap,74 g3g,3 nf,1 1514,3k 16o1,e8 5j5,e8 329,1s 4sh,e8 4ch,74 5fl,3k
135,3k ucp,8 nl,cg t,k 2,9 2,1 1iv9,1s 1jn4,1 wup,1ds c1t,74 d8h,1s iip,74 hep,3k 117l,e8 e9,35s
1z5,hs 3l,1s 1q9,e8 1kx,e8 e9,sg sh,sg g3l,3k 11d,1s 39d,cn4 ux,4 r1,4 1dh,4 1t,4 13t,4 1zh,4 341,4
3ot,4 wx,4 95,4 16l,3 1dy,4 4ys,1 58p,1 2,2 3v9,1 rd,1 2,1 5va,3 1ap,2 2,1 ox,4 15j,1 vy,4 r5,4 rd,1
rm,2 6nf,2 2tdp,3 6ri,3k zl,74 a9l,8 i9,2 3pr,g 11t,1s 29t,3k ox,3k 5q9,e8 br5,3k ld,3k 1oh,1s
14x,74 2bl,1s oca,1 185j,1s 6p,g 25tt,1kw 51d,ao 269,6q 173,74 1s1,74 av5,1s qp,74 8sh,3k 6ip,e8
13d,1s b09,3k 1a9,1s 7un,2 3d,2 7bb,3k 1b3,2 2y1,2 2,1 36v,2 r1,74 1s1,e8 2xl,4 iv5,1 4dz,1 1ql,l
2bw,5c 2i5,1 3f8,74 3l,2 2d,2 ee2,1 18v,e8 2bq,1 cb,3k 2kh,74 3l,1s 6rl,74 2rz,1 44y,e8 4qp,2k
2hx,74 38u,1 409,2 18p,74 1ip,1 9qo,74 6pt,74 935,74 8w1,74 16p,3k 9c1,g v8e,1 1koz,4 6fh,1s ht,1s
2ip,1s 2rl,3k ox,3c 4,5 w1,3l o4,4 1yh,4g 2h1,2 arv,74 24h,1s ax,4 5,6 2g,2 11u,1s 9fl,1s 29t,3k
6ip,3k 7k9,8 1u3,5 2n6,74 1z5,74 75,74 1kx,74 4lp,2 4ab,74 1mx,8 981,74 4jl,3k 1a9,74 54x,74 6gd,1
zfo,g 1k1,74 54x,74 lq9,74 bta,1 118z,2 2,d sx,1s 14r8,1 fsd,3k 2dd,3k 7rn,1 75a,3k cg1,3k 1gh,1 2,2
199,1s 329,74 zl,3k 135,74 eh,o 25d,74 cg1,78 8ot,e8 535,1s 41h,30 3vl,3k 128t,2 ip,1 8g2,3k 669,1s
agx,74 3y9,74 2p,w 2ch,w 9dt,4g 9t,e8 ao1,74 4wp,o 1u9,t 80s,7c 4i9,4 ml,74 1s1,74 29t,1s 1xd,1s
6rl,74 4n1,3o 401,1s 18h,1s 3y9,74 xt,1s 48x,3k 1ot,24 10p,74 39d,3k zl,74 4w,1 3,1 i6,1s ch,1s
7v0,1 hpx,74 ld,1s ts1,3k 3nl,74 39d,2o 5up,ao 75,74 e9,1s 18h,1s zz,1 52q,1s 135,1s w1,3k 3z5,g
nl,1s 75,1s sh,3k u9,1s w1,3k 3l,74 3nl,w 2p,74 1hd,3k 801,3k 2bfl,4g m5f,2 6ps,1 7,2 2,9 3,5 2,2
2pt,3k 3r5,1s 4ap,w 4m9,1s 1t,3k g1,1s 6td,74 135,3k 6ip,74 3r5,74 5c1,74 6bl,3k 48x,74 3cx,74 fjl,c
89,1 6f0,w 2rl,1s 1yp,g 5xd,1s 22p,1s 5d,1s 2x1d,3k ap,3k sh,1s qp,28 2lt,1s 5d,1s 1t,3k 1a9,1s
1q9,1s 1c1,3k 1hd,8w 1fl,3k 35t,3k 1xd,1s 41t,w 2p,1s 1c1,3k pt,w 1ix,8 51d,1s e9,1s y9,g 1gh,1s
24h,1s 2o1,1s jl,3k ov,3m 2wx,w o1,1t 134,1s u9,1s e9,w dyh,8 f41,g 2p,1s 3ep,74 2yp,74 zl,74 kxt,1s
1oe9,3k 156p,e8 sh,e8 3zsx,sg
"""
_IPV6 = """
1r59rkzk,4 1r7h,74 4fep,74 2psh,6o 16gx,74 7pd,74 30ud,1 gut8,74 1fy9,74 1ik1t,70 2l1h,74 6mf5,74
7vsqznl,74 u70h,74 1ups1,74 7pxd,74 rk7n,s k6vn,1kw mltt,74 yxoh,74 ssg1,74 6bcx,74 3v20x,74 32329,1
e800,74 70n5,74 i2v5,74 quwx,74 8f7l,74 l2bl,74 3oqgx,74 5c2yp,74 51729,74 5e6td,74 1rk3l,3k
2a60x,74 avpg,71 2bx8i,1 dp1b,74 yrcx,74 4gttt,1t 1s,3k 6o01,74 75,e8 5cf0h,74 thq9,74 17jep,74
1oe81,74 n669,6m ghzn,74 p35,74 12z29,74 mgw1,74 6o01,74 6qnep,4g 2,50g g,qk1 w,iu8 235dt,74
2qbk1,74 3ykg1,74 6bcx,74 4z37l,4cg 75,5hq8 8l1c1,75 l84cg,5j4 oytxd,6q f,2yp 2,71 2,1b7k
3u9mdq9,1ekg 5m9t,e8 e9,2dc 8c8x,1ekg nvnl,35s fd35,3cw e9,1s0 1pngh,1ekg 1is5d,35s 3qrcx,1ekg
4bx1d,74 6k3m9,1 aapio,jk3 w,2i 5,5mo 6uiv5,3g 38eit,74 rqip,74 35kx,74 47i9,1s 2mrl,74 481s1,74
kd1d,74 3bqpt,74 iltt,74 26nlt,1 i,10 2,6 4m,3 vy8s,9c 1b5,1 g,ic 1ml4d,74 15s75,zk mg3l,74 xpfl,74
1hq0x,74 nitd,74 l2bl,74 15fk1,1 10veo,74 doxt,1 5m68,75 17jeo,74 iygx,74 47p4x,74 1ei8,1 3h0ep,74
ghz5,74 yrcx,74 23oh,2o 5ytd,74 cn4,1 4zshu,73 5kap,74 yrl,74 375t,74 6o0irt,1 1jug,1 2io,1 lc,1
20g,1 4ur8sw,1kw 3kbxngh,74 u9hj5,74 li4h,74 20y69,74 2uvwh,74 3qr5t,74 mgw1,74 2lpmp,74 3wvugox,74
4k5d,74 69s1,74 8jy9,74 2sxt,1kw 3drlt,1kw z94h,3 xczy,74 23u9t,74 3i81,3k 1dt,3k ritd,1s nsn5,74
1m9t,74 dtw,1 pa5,74 2rcx,e8 ow1,74 2ke81,74 24we9,zk slc1,74 47i9,74 15fk1,1kw bk01,74 2p2wx,74
g5c1,74 1fy9,e8 x9fl,1kw 3f9d,1kw 22dd,ao 2qkuc,5n 394c3,16o 1jsox,e8 75,74 e9,74 1xb7l,1 9,1 51,1
zznm,74 5fr5,74 p3wh,74 v8qp,74 2v8jl,1s 94n5,74 12mf5,1kw v7k1,74 h79d,74 2kpa9,74 aj29,1kw uuwx,lc
sh,1 1pts,1kw 1cf0h,1kw vwu9,sg 75,e8 tgjl,1kw 229t,1kw 2ry9,74 4o6wx,1kw jmdd,e8 2g3l,1kw i7sx,74
ld,sg datd,1kw 28dfl,74 2mt4x,1kw s1s1,pa8 1ekg1,1kw b29,1kw 15s75,74 6z9d,74 k0e9,74 82kh,1kw
ed4x,74 8etd,1kw feo1,1kw 4irl,1kw 2rk1,74 5m2p,1kw 9fy9,75 c8w,1kw b29,1kw 10ch,1kw 1l729,1kw
xo1t,1kw 2rk1,74 fg1t,1kw 7bwh,74 czy9,16o ecqp,1kw 1ab5t,1kw 6z9d,1kw 104jl,1kw 4irl,74 2qbk1,1kw
464h,1kw feo1,74 1br41,1kw qakh,1kw pla9,1kw 9fy9,74 uw3l,1kw 69z5,74 e9,e8 4jcx,1kw 1c2kh,74 e9,74
lqtd,1kw 5kox,1kw b9wxt,74 8269,1kw 1ocu9,74 1noxt,1kw b6yp,1kw 233sx,1kw ecxt,1ds aubl,1kw h5vl,1kw
3gu9,1kw e03l,1kw 1gzcx,1kw qn7l,1kw ldkx,1kw ikg1,1kw 2rk1,1kw 5kox,1kw 23t35,1kw lq81,1kw 1czl,1kw
4irl,1kw 23gg1,1kw 22eip,1kw hiip,1kw 3gu9,1kw clj5,1kw 2rk1,16o e0ht,1kw 1c2dd,1kw hv5t,1kw
1pmp,1kw 1pmp,74 vlkx,1kw jaip,e8 75,74 i7sx,1kw 16sqp,1kw mfi9,1kw w9hd,1kw 6z9d,1kw 163gh,1kw
2ovlt,1kw j9q9,1kw 12l1d,1kw 1vf29,74 f20x,1kw 9ts1,74 104jl,1kw 7bwh,1kw 1uoe9,1kw h5vl,1kw
a51d,1kw 6z9d,1kw sr29,1kw 1qtc1,1kw 10o1,4 5,3 6,27 ea,7 9,31 81vp,1kw 8dtt,74 7pxd,1kw frb5,1kw
o6pt,1kw 7bwh,1kw 8dtt,1kw npd,1kw 6z9d,1kw 5kox,1kw 464h,1kw 464h,1kw 4irl,1kw e03l,1kw 7bwh,1kw
4vep,1kw b6yp,1kw 5kox,1kw hiip,e8 e9,sg 10ch,1kw 5kox,1kw yqdd,74 1pse9,1kw 1bqwx,75 6nls,74
ojy9,1kw 1eiv5,1kw tgch,1kw 9se9,1kw g45d,1ds 464h,1kw 3ugx,74 9g5d,1kw w9hd,1kw 3475,74 1nd35,75
1nocg,74 o7wh,1kw gtmp,e8 1qf5,1kw 4j5t,16o 5kox,1kw 2rk1,1kw 1czl,1kw b29,1kw 229t,1kw 2rkq,5d
1e,6t 94ap,1kw bwg1,74 1e69,1kw l1q9,74 oap,1kw f20x,1kw bw8x,1kw wyrl,1kw qarl,74 7pq9,1kw 7ojl,1kw
tszl,1kw 1czl,1kw f20x,1kw 1pmp,74 75,16o npd,1kw 17i0x,1kw 581t,1kw 8dtt,1kw 3h1d,1ds 6mm9,1kw
2rk1,1kw 6mtd,1ds b29,1kw npd,1kw 1e69,74 2f41,74 3i81,1kw 114x,74 1dz5,74 1dvk1,74 o741,1kw
1czl,1kw ahoh,1kw hv5t,1kw 1czl,1kw 464h,1kw 229t,1kw sr29,1kw b6yp,1kw qzup,1kw 11j5,74 7oqp,1kw
11vr5,1kw wyrl,1kw npd,1kw e03l,1kw g3y9,1kw b6yp,1kw 12l1d,1kw npd,1kw 1jfup,1kw 8dtt,1kw 8dtt,1kw
5xc1,1kw dngh,1kw 1czl,1kw nu2p,1kw 2rk1,1kw gtfl,1ds npd,1kw 3thd,1kw c8w1,1kw nhfl,1kw 7bwh,1kw
b29,1kw 69z5,1kw ms5d,1kw 10ch,1kw u5mp,1kw 4vep,1kw 3gu9,1kw clj5,1kw 3gu9,1kw 3gu9,1kw lq81,1kw
a51d,1kw b7r5,74 34sh,74 3i81,1kw 14cg1,16o dp1d,74 464h,1kw 2rk1,1kw 229t,1kw npd,1kw npd,1kw
1czl,1kw 2rk1,1kw 1ptt,1ds 10ch,1kw 2rk1,1kw 5kox,1kw 69z5,1kw 464h,1kw 1pmp,1kw 3h1d,1ds 3475,1kw
1czl,1kw 5kox,1kw 5kox,1kw b6yp,1kw 5kox,74 9h4x,1kw bjlt,1kw 69z5,1kw g3y9,1kw 1peyp,1ds 5kox,1kw
1ptt,1ds 2rk1,1kw 6mm9,1kw b29,1kw 69z5,1kw b29,1kw i7sx,1kw datd,1kw 6mm9,1kw 1czl,1kw 8dtt,1kw
qakh,e8 t4w1,1kw frb5,1kw 229t,1kw ahoh,1kw cy69,1kw 5kox,1kw 2rk1,1kw h62p,1ds 140zl,74 816p,1kw
npd,1kw zf9d,1kw npd,1kw npd,1kw npd,1kw 229t,1kw 581t,1kw u5mp,1kw cydd,74 czcx,1kw 1czl,1kw
ms5d,74 e9,lc 75,74 h5vl,1kw 69z5,1kw 69z5,1kw 9fr5,1kw 14pa9,74 kcn5,1kw bnl,sg 7oxt,1ds frb5,1kw
591d,74 b7cx,1kw 2fpd,74 5xxd,1kw 2rk1,1kw 2f41,1ds vwu9,1kw ahoh,1kw 2rk1,1kw 81dt,1ds npd,1kw
nwh,1ds 8qo1,1ds a51d,1kw 1i1a9,1kw 1z8xt,74 23gh,1kw aubl,74 h7gh,1ds 3wluayp,74 6z4e9,74 coht,74
"""


def _networks(text: str) -> tuple[list[int], list[int]]:
    """The first and the last units."""
    firsts, lasts, end = [], [], 0
    for network in text.split():
        gap, length = (int(number, 36) for number in network.split(","))
        firsts.append(end + gap)
        lasts.append(end := end + gap + length - 1)
    return firsts, lasts


_NETWORKS: Final = {4: (8, _networks(_IPV4)), 6: (88, _networks(_IPV6))}


def carries_others(address: str) -> bool:
    """Tell whether who uses this address may well be in another country than its network."""
    ip = ipaddress.ip_address(address)
    shift, (firsts, lasts) = _NETWORKS[ip.version]
    unit = int(ip) >> shift
    place = bisect_right(firsts, unit) - 1
    return place >= 0 and unit <= lasts[place]
