;; Kernels of sums of slices, as WebAssembly text. Addresses and steps are in bytes, all values float32.
;;
;; `add`: `rows` rows of `count` voxels, each of `channels` values times the voxel's weight, are added to
;; sums. Voxels follow each other in the sums; in the values they lie `step` apart, either way. `sumsRow` and
;; `valuesRow` lead from row to row, weights follow each other throughout.
;;
;; `finish`: the `channels` sums of each of `count` voxels divided by its weight, each channel into a plane of
;; its own, `plane` apart.
(module
  (import "slices" "memory" (memory 1))

  (func (export "add")
    (param $sums i32) (param $sumsRow i32) (param $values i32) (param $valuesRow i32) (param $step i32)
    (param $weights i32) (param $rows i32) (param $count i32) (param $channels i32)
    (local $into i32) (local $from i32) (local $left i32) (local $x i32) (local $voxel i32)
    (local $weight v128)
    (loop $row
      (local.set $into (local.get $sums))
      (local.set $voxel (local.get $values))
      (local.set $x (local.get $count))
      (loop $column
        (local.set $weight (v128.load32_splat (local.get $weights)))
        (local.set $from (local.get $voxel))
        (local.set $left (local.get $channels))
        (block $fewer
          (loop $four
            (br_if $fewer (i32.lt_u (local.get $left) (i32.const 4)))
            (v128.store (local.get $into)
              (f32x4.add
                (v128.load (local.get $into))
                (f32x4.mul (local.get $weight) (v128.load (local.get $from)))))
            (local.set $into (i32.add (local.get $into) (i32.const 16)))
            (local.set $from (i32.add (local.get $from) (i32.const 16)))
            (local.set $left (i32.sub (local.get $left) (i32.const 4)))
            (br $four)))
        (block $none
          (loop $one
            (br_if $none (i32.eqz (local.get $left)))
            (f32.store (local.get $into)
              (f32.add
                (f32.load (local.get $into))
                (f32.mul (f32x4.extract_lane 0 (local.get $weight)) (f32.load (local.get $from)))))
            (local.set $into (i32.add (local.get $into) (i32.const 4)))
            (local.set $from (i32.add (local.get $from) (i32.const 4)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br $one)))
        (local.set $voxel (i32.add (local.get $voxel) (local.get $step)))
        (local.set $weights (i32.add (local.get $weights) (i32.const 4)))
        (br_if $column (local.tee $x (i32.sub (local.get $x) (i32.const 1)))))
      (local.set $sums (i32.add (local.get $sums) (local.get $sumsRow)))
      (local.set $values (i32.add (local.get $values) (local.get $valuesRow)))
      (br_if $row (local.tee $rows (i32.sub (local.get $rows) (i32.const 1))))))

  (func (export "finish")
    (param $sums i32) (param $weights i32) (param $planes i32) (param $plane i32)
    (param $count i32) (param $channels i32)
    (local $from i32) (local $into i32) (local $weight i32) (local $x i32) (local $left i32)
    (local $quotient v128)
    (local.set $left (local.get $channels))
    (block $none
      (loop $channel
        (br_if $none (i32.eqz (local.get $left)))
        (local.set $from (local.get $sums))
        (local.set $into (local.get $planes))
        (local.set $weight (local.get $weights))
        (local.set $x (local.get $count))
        (if (i32.ge_u (local.get $left) (i32.const 4))
          (then
            (loop $voxel
              (local.set $quotient
                (f32x4.div (v128.load (local.get $from)) (v128.load32_splat (local.get $weight))))
              (v128.store32_lane 0 (local.get $into) (local.get $quotient))
              (v128.store32_lane 1 (i32.add (local.get $into) (local.get $plane)) (local.get $quotient))
              (v128.store32_lane 2
                (i32.add (local.get $into) (i32.shl (local.get $plane) (i32.const 1)))
                (local.get $quotient))
              (v128.store32_lane 3
                (i32.add (local.get $into) (i32.mul (local.get $plane) (i32.const 3)))
                (local.get $quotient))
              (local.set $from (i32.add (local.get $from) (i32.shl (local.get $channels) (i32.const 2))))
              (local.set $into (i32.add (local.get $into) (i32.const 4)))
              (local.set $weight (i32.add (local.get $weight) (i32.const 4)))
              (br_if $voxel (local.tee $x (i32.sub (local.get $x) (i32.const 1)))))
            (local.set $sums (i32.add (local.get $sums) (i32.const 16)))
            (local.set $planes (i32.add (local.get $planes) (i32.shl (local.get $plane) (i32.const 2))))
            (local.set $left (i32.sub (local.get $left) (i32.const 4))))
          (else
            (loop $voxel
              (f32.store (local.get $into)
                (f32.div (f32.load (local.get $from)) (f32.load (local.get $weight))))
              (local.set $from (i32.add (local.get $from) (i32.shl (local.get $channels) (i32.const 2))))
              (local.set $into (i32.add (local.get $into) (i32.const 4)))
              (local.set $weight (i32.add (local.get $weight) (i32.const 4)))
              (br_if $voxel (local.tee $x (i32.sub (local.get $x) (i32.const 1)))))
            (local.set $sums (i32.add (local.get $sums) (i32.const 4)))
            (local.set $planes (i32.add (local.get $planes) (local.get $plane)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))))
        (br $channel)))))
